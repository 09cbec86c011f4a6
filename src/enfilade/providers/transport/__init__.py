"""HTTP/1.1 towards providers: pools, deadlines, TLS, proxies, and a guard on every address.

Our own, on asyncio and httptools, because an HTTP client is half of what a gateway does with a call: the ready-made
ones cost three to fifty times as much for each.
"""
