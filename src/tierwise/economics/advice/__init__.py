"""What fits an organisation: which work runs where, which gates decide it, and what would turn the answer."""
