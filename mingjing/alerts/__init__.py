"""``mingjing alerts``: whether messages arrive, why they were sent or not, and which come next."""
