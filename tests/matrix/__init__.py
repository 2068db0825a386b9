"""Every caller's wire against every endpoint's wire, with the official clients of both vendors."""
