"""The engine process: model file, tokenizer, session, worker. No Qt, no network, no SQL."""
