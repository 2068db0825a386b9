"""openai for Python, on Embeddings."""

import math

from account import WORDS, Told, give_account, told

# set-up
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:7373/v1", api_key="unused")
# set-up ends


def vectors() -> Told:
    numbers = client.embeddings.create(model="auto", input=WORDS, encoding_format="float")
    packed = client.embeddings.create(model="auto", input=WORDS)  # this client asks for base64 by itself
    pairs = zip(numbers.data[0].embedding, packed.data[0].embedding, strict=True)
    same = all(math.isclose(a, b, rel_tol=2**-23) for a, b in pairs)  # base64 holds 32 bits of each
    read = numbers.usage.prompt_tokens + packed.usage.prompt_tokens
    return told("the same vector twice" if same and numbers.data[0].embedding else "different vectors", read)


if __name__ == "__main__":
    give_account(vectors)
