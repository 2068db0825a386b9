"""Configurations of other gateways, read into a draft of ours. One module a gateway, found by its name in the rows.

All of it is pure: text in, draft out. Invariant: a key of the source is either carried over or named in a comment,
because what no translation takes is what `Table.left` gives; and no secret's text ever reaches a draft.
"""
