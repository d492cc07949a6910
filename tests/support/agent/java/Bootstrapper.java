package standin;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;

/** Bootstrapper and launcher in one: lock file, downloads without a check, agent JVM again 10 s after any end. */
public final class Bootstrapper {
    private static final File LOCK = new File(".agent-bootstrapper.running");
    private static final int IRRECOVERABLE = 0xBADBAD;

    private final Arguments args;
    private final Server server;
    private String extraProperties = "";
    private volatile Process agent;

    public static void main(String[] arguments) throws Exception {
        Log.open("agent-bootstrapper");
        new Bootstrapper(new Arguments(arguments)).loop();
    }

    private Bootstrapper(Arguments args) throws Exception {
        this.args = args;
        server = new Server(args);
    }

    private void loop() throws Exception {
        if (LOCK.exists() && System.currentTimeMillis() - LOCK.lastModified() < 600_000) {
            Thread.sleep(Long.getLong("lockfile.sleep.before.lastmodified.check.millis", 10_000));
            Log.error("AgentLauncherImpl", 77, "Already running agent launcher in this folder.");
            System.exit(IRRECOVERABLE);
        }
        new FileOutputStream(LOCK).close();
        Runtime.getRuntime().addShutdownHook(new Thread(this::shutdown));
        while (true) {
            Log.info("AgentBootstrapper", 143, "Launcher returned with " + launch());
            long wait = Long.getLong("agent.bootstrapper.wait.time.before.relaunch.in.ms", 10_000);
            Log.info("AgentBootstrapper", 158, "Waiting for " + wait + " ms before re-launch....");
            Thread.sleep(wait);
        }
    }

    /** Deletes the lock, signals the agent JVM and does not wait for it. */
    private void shutdown() {
        LOCK.delete();
        Process running = agent;
        if (running != null) {
            running.destroy();
        }
    }

    private int launch() throws IOException, InterruptedException {
        List<String> md5s = new ArrayList<>();
        md5s.add("-Dagent.launcher.md5=" + download("/admin/agent-launcher.jar", "agent-launcher.jar"));
        md5s.add("-Dagent.binary.md5=" + download("/admin/agent", "agent.jar"));
        md5s.add("-Dagent.plugins.md5=" + download("/admin/agent-plugins.zip", "agent-plugins.zip"));
        md5s.add("-Dagent.tfs.md5=" + download("/admin/tfs-impl.jar", "tfs-impl.jar"));
        List<String> command = command(md5s);
        Log.info("AgentProcessParentImpl", 101, "Launching Agent with command: " + String.join(" ", command));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        agent = process;
        process.getOutputStream().close();
        relay(process.getInputStream());
        return process.waitFor();
    }

    private List<String> command(List<String> md5s) {
        List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java"));
        String startup = System.getenv().getOrDefault("AGENT_STARTUP_ARGS", "");
        for (String word : (startup + ' ' + extraProperties).split(" ")) {
            if (!word.isBlank()) {
                command.add(word.replace("%20", " "));
            }
        }
        command.addAll(md5s);
        command.addAll(List.of("-Dagent.bootstrapper.version=stand-in", "-jar", "agent.jar"));
        command.addAll(args.asList());
        return command;
    }

    private void relay(InputStream output) throws IOException {
        boolean console = Boolean.getBoolean("go.console.stdout");
        byte[] piece = new byte[65_536];
        for (int size; (size = output.read(piece)) > 0; ) {
            if (console) {
                System.out.write(piece, 0, size);
                System.out.flush();
            }
        }
    }

    /** Keeps the file of the server's md5; anything but an answer of 200 is tried again, for ever. */
    private String download(String path, String name) throws InterruptedException {
        while (true) {
            try {
                Server.Answer head = server.call("HEAD", path, java.util.Map.of(), null);
                String md5 = head.header("Content-MD5");
                if (head.status() == 200 && md5 != null && (md5.equalsIgnoreCase(md5Of(Path.of(name))) || get(path, name))) {
                    note(head.header("GoCD-Agent-Extra-Properties"));
                    return md5;
                }
            } catch (IOException e) {
                Log.error("ServerBinaryDownloader", 120, "Couldn't fetch " + path + ": " + e);
            }
            Thread.sleep(Long.getLong("sleep.for.download", 10_000));
        }
    }

    private void note(String encoded) {
        if (encoded != null) {
            extraProperties = java.util.Arrays.stream(new String(Base64.getDecoder().decode(encoded)).split(" "))
                    .map(property -> "-D" + property).reduce("", (a, b) -> a + ' ' + b);
        }
    }

    private boolean get(String path, String name) throws IOException {
        Server.Answer answer = server.get(path);
        if (answer.status() != 200) {
            return false;
        }
        Path part = Path.of(name + ".part");
        Files.write(part, answer.body());
        Files.move(part, Path.of(name), StandardCopyOption.REPLACE_EXISTING);
        return true;
    }

    private static String md5Of(Path file) throws IOException {
        if (!Files.exists(file)) {
            return null;
        }
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(Files.readAllBytes(file)));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
