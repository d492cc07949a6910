package standin;

import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;

/**
 * Lines as logback writes them. Where they go depends, as in the real thing, on a logback include in config/:
 * with it standard output, without it a file in logs/.
 */
final class Log {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss,SSS");
    private static PrintStream out = System.out;

    static void open(String name) throws IOException {
        OutputStream sink = new FileOutputStream(FileDescriptor.out);
        if (!new File("config/" + name + "-logback-include.xml").exists()) {
            File directory = new File(System.getProperty("gocd.agent.log.dir", "logs"));
            directory.mkdirs();
            sink = new FileOutputStream(new File(directory, "go-" + name + ".log"), true);
        }
        out = new PrintStream(sink, true, StandardCharsets.UTF_8);
    }

    static void info(String logger, int line, String message) {
        write("INFO ", logger, line, message);
    }

    static void warn(String logger, int line, String message) {
        write("WARN ", logger, line, message);
    }

    static void error(String logger, int line, String message) {
        write("ERROR", logger, line, message);
    }

    private static void write(String level, String logger, int line, String message) {
        byte[] text = (TIME.format(LocalDateTime.now()) + ' ' + level + " [" + Thread.currentThread().getName() + "] "
                + logger + ':' + line + " - " + message + '\n').getBytes(StandardCharsets.UTF_8);
        out.write(text, 0, text.length);
        out.flush();
    }
}
