"""langchain-openai, on Chat Completions."""

from account_langchain import give_account_of

# set-up
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="http://127.0.0.1:7373/v1", api_key="unused", model="auto", stream_usage=True)
# set-up ends

if __name__ == "__main__":
    give_account_of(model)
