"""LiteLLM as a client, on Messages."""

from account_litellm import give_account_of

# set-up
at = {"model": "anthropic/auto", "api_base": "http://127.0.0.1:7373", "api_key": "unused"}
# answer = litellm.completion(**at, messages=[...])
# set-up ends

if __name__ == "__main__":
    give_account_of(at)
