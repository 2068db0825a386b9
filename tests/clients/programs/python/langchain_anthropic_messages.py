"""langchain-anthropic."""

from account_langchain import give_account_of

# set-up
from langchain_anthropic import ChatAnthropic

model = ChatAnthropic(base_url="http://127.0.0.1:7373", api_key="unused", model="auto")
# set-up ends

if __name__ == "__main__":
    give_account_of(model)
