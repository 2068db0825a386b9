"""Pydantic AI, on Messages."""

from account_pydantic_ai import give_account_of

# set-up
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

provider = AnthropicProvider(base_url="http://127.0.0.1:7373", api_key="unused")
model = AnthropicModel("auto", provider=provider)
# set-up ends

if __name__ == "__main__":
    give_account_of(model)
