"""What may others see of what happened? Spans and metrics made from decision records, and the way out for them."""
