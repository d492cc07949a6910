package standin;

import static standin.Json.map;
import static standin.Json.object;

import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A GoCD agent to the server and to whoever started it: protocol, files, log lines, signals, exit status. */
public final class Agent {
    private static final String[][] BINARIES = {{"Agent-Content-MD5", "agent.binary.md5"},
            {"Agent-Launcher-Content-MD5", "agent.launcher.md5"}, {"Agent-Plugins-Content-MD5", "agent.plugins.md5"},
            {"TFS-SDK-Content-MD5", "agent.tfs.md5"}};

    private final Arguments args;
    private final Server server;
    private final Registration registration;
    private final AtomicInteger threads = new AtomicInteger();
    private final ScheduledExecutorService scheduler = Executors.newScheduledThreadPool(3,
            work -> new Thread(work, "scheduler-" + threads.incrementAndGet()));
    private volatile String cookie;
    private volatile long lastPing;
    private volatile Job job;
    private volatile String instruction = "NONE";
    private String followed = "NONE";
    private double idleDelay;

    public static void main(String[] arguments) throws Exception {
        Log.open("agent");
        Agent agent = new Agent(new Arguments(arguments));
        Runtime.getRuntime().addShutdownHook(new Thread(agent::shutdown, "Thread-1"));
        agent.start();
    }

    private Agent(Arguments args) throws Exception {
        this.args = args;
        server = new Server(args);
        registration = new Registration(server);
    }

    private void start() throws IOException {
        new File("plugins").mkdirs();
        serveStatus();
        scheduler.schedule(this::work, Long.getLong("agent.get.work.delay", 0), TimeUnit.MILLISECONDS);
        repeat(this::ping, Long.getLong("agent.ping.delay", 1500), pingInterval());
        repeat(this::follow, Long.getLong("agent.instruction.delay", 1500), Long.getLong("agent.instruction.interval", 10_000));
    }

    private void repeat(Runnable work, long delay, long interval) {
        scheduler.scheduleWithFixedDelay(work, delay, interval, TimeUnit.MILLISECONDS);
    }

    private static long pingInterval() {
        return Long.getLong("agent.ping.interval", 5000);
    }

    /** Only the direct children get a signal; what they have started stays. */
    private void shutdown() {
        ProcessHandle.current().children().forEach(ProcessHandle::destroy);
    }

    // --- health ---

    private void serveStatus() {
        if ("false".equals(System.getProperty("go.agent.status.api.enabled"))) {
            return;
        }
        String host = System.getProperty("go.agent.status.api.bind.host", "localhost");
        int port = Integer.getInteger("go.agent.status.api.bind.port", 8152);
        try {
            HttpServer http = HttpServer.create(new InetSocketAddress(host, port), 5);
            for (String version : new String[] {"v1", "latest"}) {
                http.createContext("/health/" + version + "/isConnectedToServer", exchange -> {
                    boolean good = lastPing != 0 && System.currentTimeMillis() - lastPing < 2 * pingInterval();
                    byte[] body = (good ? "OK!\n" : "Bad!\n").getBytes(StandardCharsets.UTF_8);
                    exchange.getResponseHeaders().add("Content-Type", "text/plain; charset=utf-8");
                    exchange.sendResponseHeaders(good ? 200 : 503, body.length);
                    exchange.getResponseBody().write(body);
                    exchange.close();
                });
            }
            http.start();
            Log.info("AgentStatusHttpd", 58, "Agent status HTTP API server running on http://" + host + ':'
                    + http.getAddress().getPort() + '.');
        } catch (IOException e) {
            Log.warn("AgentStatusHttpd", 61, "Could not start agent status HTTP API server: " + e.getMessage());
        }
    }

    // --- the work loop ---

    private void work() {
        boolean busy = false;
        try {
            checkForUpgrade();
            registration.ensure();
            if (cookie == null) {
                cookie = unquote(remote("get_cookie", "GetCookieRequest", Map.of()));
                Log.info("AgentHTTPClientController", 123, "[Agent Loop] Got new cookie - ready to retrieve work.");
            }
            busy = execute(map(Json.parse(remote("get_work", "GetWorkRequest", Map.of()))));
        } catch (IOException e) {
            Log.error("AgentHTTPClientController", 147, "[Agent Loop] Error occurred during loop: " + e);
        } catch (InterruptedException e) {
            return;
        }
        long first = Long.getLong("agent.get.work.interval", 1000);
        idleDelay = busy ? first : Math.min(Math.max(first, idleDelay * 1.5), 10_000);
        scheduler.schedule(this::work, (long) idleDelay, TimeUnit.MILLISECONDS);
    }

    private boolean execute(Map<String, Object> work) throws IOException, InterruptedException {
        if (!"BuildWork".equals(work.get("type"))) {
            return false;
        }
        Log.info("BuildWork", 86, "Executing received job BuildWork...");
        instruction = "NONE";
        job = new Job(this, work);
        try {
            job.run();
        } finally {
            job = null;
            Log.info("BuildWork", 98, "Job BuildWork completed.");
        }
        return true;
    }

    private void checkForUpgrade() throws IOException {
        Server.Answer status = server.get("/admin/latest-agent.status");
        if (System.getProperty("agent.binary.md5") == null) {
            return;
        }
        for (String[] binary : BINARIES) {
            String theirs = status.header(binary[0]);
            if (theirs != null && !theirs.equalsIgnoreCase(System.getProperty(binary[1]))) {
                Log.info("AgentUpgradeService", 99, "[Agent Upgrade] Agent needs to upgrade itself: " + binary[1]);
                System.exit(0);
            }
        }
    }

    // --- ping and instructions ---

    private void ping() {
        try {
            if (cookie != null) {
                instruction = unquote(remote("ping", "PingRequest", Map.of()));
                lastPing = System.currentTimeMillis();
            }
        } catch (IOException | RuntimeException e) {
            Log.error("AgentHTTPClientController", 96, "Error occurred when agent tried to ping server: " + e);
        }
    }

    private void follow() {
        Job running = job;
        if (running != null && !instruction.equals("NONE") && !instruction.equals(followed)) {
            followed = instruction;
            running.cancel(instruction.equals("KILL_RUNNING_TASKS"));
        } else if (running == null) {
            followed = "NONE";
        }
    }

    // --- calls ---

    String serverUrl() {
        return server.base() + '/';
    }

    String name() {
        return "Agent [" + hostName() + ", 127.0.0.1, " + registration.uuid() + ']';
    }

    String remote(String action, String type, Map<String, Object> more) throws IOException {
        Map<String, Object> request = new LinkedHashMap<>(object("type", type, "agentRuntimeInfo", runtimeInfo()));
        request.putAll(more);
        Server.Answer answer = server.call("POST", "/remoting/api/agent/" + action,
                headers("application/json; charset=UTF-8"), Json.write(request).getBytes(StandardCharsets.UTF_8));
        if (answer.status() >= 300) {
            throw new IOException("server answered " + answer.status() + " to " + action);
        }
        return answer.text();
    }

    void upload(String path, byte[] body) throws IOException {
        Map<String, String> headers = headers("text/plain; charset=UTF-8");
        headers.put("X-Go-Artifact-Size", String.valueOf(body.length));
        server.call("PUT", path, headers, body);
    }

    private Map<String, String> headers(String contentType) {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Accept", "application/vnd.go.cd+json");
        headers.put("Content-Type", contentType);
        headers.put("X-Agent-GUID", registration.uuid());
        headers.put("Authorization", registration.token());
        return headers;
    }

    private Map<String, Object> runtimeInfo() {
        Job running = job;
        return object("type", registration.elastic() ? "ElasticAgentRuntimeInfo" : "AgentRuntimeInfo",
                "identifier", object("hostName", hostName(), "ipAddress", "127.0.0.1", "uuid", registration.uuid()),
                "runtimeStatus", running == null ? "Idle" : "Building",
                "buildingInfo", object("buildingInfo", running == null ? "" : running.locator(),
                        "buildLocator", running == null ? "" : running.locator()),
                "location", System.getProperty("user.dir"), "usableSpace", new File(".").getUsableSpace(),
                "operatingSystemName", System.getProperty("os.name"),
                "agentBootstrapperVersion", System.getProperty("agent.bootstrapper.version", "UNKNOWN"),
                "agentVersion", "stand-in", "cookie", cookie,
                "elasticAgentId", registration.elastic() ? registration.elasticAgentId() : null,
                "elasticPluginId", registration.elastic() ? registration.elasticPluginId() : null);
    }

    private static String unquote(String text) {
        return text.strip().replaceAll("^\"|\"$", "");
    }

    private static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (IOException e) {
            return "localhost";
        }
    }
}
