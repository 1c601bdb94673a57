# As the scenario apache, with threads.
exec sh ./serve.sh event
