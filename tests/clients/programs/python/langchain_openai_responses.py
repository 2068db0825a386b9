"""langchain-openai, on Responses."""

from account_langchain import give_account_of

# set-up
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="http://127.0.0.1:7373/v1", api_key="unused", model="auto", use_responses_api=True)
# set-up ends

if __name__ == "__main__":
    give_account_of(model)
