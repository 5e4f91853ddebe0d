"""What `make test-cluster` shows. Each function in these modules that takes the stage is a check, run in the order in which it is
written; its name is the sentence it proves. `prepare` comes before a module's checks."""
