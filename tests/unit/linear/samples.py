"""A small task that words alone decide: where has my card gone, and what has become of my money?"""

from tierwise.linear.fit import Example

PLACES = ("shop", "market", "station", "garage", "bakery", "office", "hotel", "museum", "pharmacy", "cinema")
SAID = {
    "lost": ("my card is gone since the {}", "i lost the card in a {}", "somebody stole my card at the {}"),
    "money": ("the {} charged me twice", "i want my money back from the {}", "the {} has not refunded the payment"),
}


def examples() -> list[Example]:
    """Return sixty rows, a cluster for each sentence."""
    return [
        Example(text=text.format(place), label=label, cluster=f"{label} {number} {place}")
        for label, texts in SAID.items()
        for number, text in enumerate(texts)
        for place in PLACES
    ]
