"""What the fuzzer must be told: a body of TOML is sent as the text that it is."""

import schemathesis


@schemathesis.serializer("application/toml")
def toml(_context, value):
    return str(value).encode("utf-8", "surrogatepass")
