"""Files of sampling plans, and of the statistics that training normalises with."""
