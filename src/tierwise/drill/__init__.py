"""What would be left? Recorded traffic once more, with less, dearer or busier endpoints. Pure."""
