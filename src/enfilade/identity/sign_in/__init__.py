"""How people come in: sessions, OpenID Connect, command lines that wait to be confirmed."""
