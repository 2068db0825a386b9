"""ONE CALL, END TO END: label, candidates, judge, choose, intent, attempts with gates, outcome."""
