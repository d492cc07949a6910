package standin;

import static standin.Json.list;
import static standin.Json.map;
import static standin.Json.object;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** One BuildWork: its tasks one after the other, as direct children of this JVM. */
final class Job {
    private static final AtomicInteger PUMPS = new AtomicInteger();

    private final Agent agent;
    private final Map<String, Object> assignment;
    private final Map<String, Object> identifier;
    private final Console console;
    private volatile boolean cancelled;

    Job(Agent agent, Map<String, Object> work) {
        this.agent = agent;
        assignment = map(work.get("assignment"));
        identifier = map(assignment.get("jobIdentifier"));
        console = new Console(this::append);
    }

    String locator() {
        return identifier.get("pipelineName") + "/" + number("pipelineCounter") + '/' + identifier.get("stageName")
                + '/' + identifier.get("stageCounter") + '/' + identifier.get("buildName");
    }

    void run() throws IOException, InterruptedException {
        if (ignored()) {
            agent.remote("report_current_status", "ReportCurrentStatusRequest", reported("jobState", "Completed"));
            return;
        }
        Thread transmitter = transmitter();
        String result = "Failed";
        try {
            status("Preparing");
            console.line("##", "[go] Job Started: " + new java.util.Date());
            status(ignored() ? "Completed" : "Building");
            result = tasks() ? "Passed" : "Failed";
        } finally {
            transmitter.interrupt();
        }
        report(cancelled ? "Cancelled" : result);
    }

    /** TERM to all that runs below this JVM; with force KILL. Whoever has left the tree stays. */
    void cancel(boolean force) {
        cancelled = true;
        ProcessHandle.current().descendants().forEach(p -> {
            if (force) {
                p.destroyForcibly();
            } else {
                p.destroy();
            }
        });
    }

    private boolean tasks() throws IOException, InterruptedException {
        File directory = new File((String) map(assignment.get("buildWorkingDirectory")).get("path"));
        directory.mkdirs();
        boolean passed = true;
        for (Object builder : list(assignment.get("builders"))) {
            Map<String, Object> task = map(builder);
            boolean always = list(task.get("conditions")).stream().anyMatch(c -> "any".equals(map(c).get("status")));
            if (!cancelled && (passed || always)) {
                passed &= task(task, directory);
            }
        }
        return passed;
    }

    private boolean task(Map<String, Object> task, File directory) throws IOException, InterruptedException {
        console.line("!!", "[go] Task: " + task.get("description"));
        long start = System.nanoTime();
        int code = -1;
        try {
            code = execute(task, directory);
        } catch (IOException e) {
            console.line("&2", e.getMessage());
        }
        String took = " (" + (System.nanoTime() - start) / 1_000_000 + " ms)";
        console.line(code == 0 ? "?0" : "?1", "[go] Task status: "
                + (code == 0 ? "passed" + took : "failed" + took + " (exit code: " + code + ')'));
        return code == 0;
    }

    private int execute(Map<String, Object> task, File directory) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of((String) task.get("command")));
        list(task.get("args")).forEach(word -> command.add((String) word));
        ProcessBuilder builder = new ProcessBuilder(command).directory(directory);
        builder.environment().put("GO_SERVER_URL", agent.serverUrl());
        for (Object property : list(map(assignment.get("initialContext")).get("properties"))) {
            builder.environment().put((String) map(property).get("name"), (String) map(property).get("value"));
        }
        Process process = builder.start();
        process.getOutputStream().close();
        Thread out = pump(process.getInputStream(), "&1");
        Thread err = pump(process.getErrorStream(), "&2");
        try {
            out.join();
            err.join();
            return process.waitFor();
        } finally {
            process.destroy();
        }
    }

    private Thread pump(InputStream stream, String tag) {
        Thread thread = new Thread(() -> {
            try (BufferedReader reader = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line; (line = reader.readLine()) != null; ) {
                    console.line(tag, line);
                    Log.info("CommandLine", 52, line);
                }
            } catch (IOException e) {
                Log.warn("StreamPumper", 71, "Stream closed: " + e.getMessage());
            }
        }, "StreamPumper-" + PUMPS.incrementAndGet());
        thread.start();
        return thread;
    }

    private Thread transmitter() {
        Thread thread = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(Long.getLong("cruise.console.publish.interval", 10) * 1000);
                    console.flush();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }, "ConsoleOutputTransmitter");
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private void status(String state) throws IOException {
        console.flush();
        Log.info("DefaultGoPublisher", 83, agent.name() + " is reporting status [" + state
                + "] to Go Server for Build [" + locator() + ']');
        agent.remote("report_current_status", "ReportCurrentStatusRequest", reported("jobState", state));
    }

    private void report(String result) throws IOException {
        console.line("##", "[go] Current job status: " + result.toLowerCase());
        agent.remote("report_completing", "ReportCompleteStatusRequest", reported("jobResult", result));
        status(ignored() ? "Completed" : "Completing");
        Log.info("DefaultGoPublisher", 91, agent.name() + " is reporting build result [" + result
                + "] to Go Server for Job [" + locator() + ']');
        agent.remote("report_completed", "ReportCompleteStatusRequest", reported("jobResult", result));
        console.line("ex", "[go] Job completed " + locator());
        console.flush();
    }

    private boolean ignored() throws IOException {
        return agent.remote("is_ignored", "IsIgnoredRequest", reported("jobIdentifier", identifier)).contains("true");
    }

    private Map<String, Object> reported(String name, Object value) {
        return object("jobIdentifier", identifier, name, value);
    }

    private void append(byte[] piece) throws IOException {
        agent.upload("/remoting/files/" + locator() + "/cruise-output/console.log?attempt=1&buildId="
                + number("buildId"), piece);
    }

    private long number(String field) {
        return ((Double) identifier.get(field)).longValue();
    }
}
