"""What decides: reports, questions and the time in, scores and answers out. No I/O in here."""
