"""Bad inputs and faults, one table of them: what goes in, what has to come out, asked of any gateway from outside."""
