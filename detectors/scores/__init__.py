"""What a month, quarter or year is worth: honest rates, deductions and bonus, ranks. Pure arithmetic over facts of cases."""
