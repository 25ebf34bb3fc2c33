"""The stages and their lanes: consumer groups, transactions, and what a stage looks after."""
