"""The pages as a person meets them: in Chromium, on a gateway that serves, over ledgers of every size."""
