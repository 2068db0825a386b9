"""Pydantic AI, on Responses."""

from account_pydantic_ai import give_account_of

# set-up
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url="http://127.0.0.1:7373/v1", api_key="unused")
model = OpenAIResponsesModel("auto", provider=provider)
# set-up ends

if __name__ == "__main__":
    give_account_of(model)
