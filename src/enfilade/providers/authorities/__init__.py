"""How providers that want more than a key are shown who asks: signatures and tokens, and the keys behind them."""
