"""Debian's httpbin for gunicorn, with the server's name in a response header, so that a caller sees who answered."""
import os

from httpbin import app


@app.after_request
def name_the_server(response):
    response.headers["X-Served-By"] = os.environ["SERVER_NAME"]
    return response
