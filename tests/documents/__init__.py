"""What the documents say, as data: blocks, commands, links. `test_docs.py` holds it against what exists."""
