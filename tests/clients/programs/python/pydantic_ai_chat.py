"""Pydantic AI, on Chat Completions."""

from account_pydantic_ai import give_account_of

# set-up
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url="http://127.0.0.1:7373/v1", api_key="unused")
model = OpenAIChatModel("auto", provider=provider)
# set-up ends

if __name__ == "__main__":
    give_account_of(model)
