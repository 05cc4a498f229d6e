"""QObjects with signals: own the threads and the engine process, import no widget."""
