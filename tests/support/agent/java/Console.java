package standin;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.LocalTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;

/** The job's console log: a bounded buffer, appended to the server's copy in pieces. */
final class Console {
    interface Sink {
        void append(byte[] piece) throws IOException;
    }

    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss.SSS");
    private static final int LINES = 10_240;

    private final Sink sink;
    private final ArrayDeque<String> lines = new ArrayDeque<>();

    Console(Sink sink) {
        this.sink = sink;
    }

    synchronized void line(String tag, String text) {
        if (lines.size() == LINES) {
            lines.removeFirst();
        }
        lines.add(tag + '|' + TIME.format(LocalTime.now()) + ' ' + text + '\n');
    }

    synchronized void flush() {
        if (lines.isEmpty()) {
            return;
        }
        try {
            sink.append(String.join("", lines).getBytes(StandardCharsets.UTF_8));
            lines.clear();
        } catch (IOException e) {
            Log.warn("ConsoleOutputTransmitter", 93, "Could not send console output to server: " + e.getMessage());
        }
    }
}
