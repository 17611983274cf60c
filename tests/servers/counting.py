"""A server's own count of its requests: a file for each process in FOLDER, with a line for each request."""
import os

FOLDER = os.environ["FOLDER"]


def note(query):
    """Counts a request by its query, which has the prober's label. Each process has a file of its own."""
    with open(f"{FOLDER}/counted-{os.getpid()}", "a") as file:
        file.write(query + "\n")
