package standin;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;

/** guid.txt, token and autoregister.properties, and what the server is told with them. */
final class Registration {
    private static final Path PROPERTIES = Path.of("config/autoregister.properties");
    private static final Path GUID = Path.of("config/guid.txt");
    private static final Path TOKEN = Path.of("config/token");
    private static final List<String> ONLY_FOR_REGISTRATION = List.of("agent.auto.register.key",
            "agent.auto.register.resources", "agent.auto.register.environments", "agent.auto.register.hostname");

    private final Server server;
    private final Properties properties = new Properties();

    Registration(Server server) throws IOException {
        this.server = server;
        Files.createDirectories(Path.of("config"));
        if (!Files.exists(GUID)) {
            Files.writeString(GUID, UUID.randomUUID().toString());
        }
        if (Files.exists(PROPERTIES)) {
            try (Reader reader = Files.newBufferedReader(PROPERTIES)) {
                properties.load(reader);
            }
        }
    }

    String uuid() {
        return read(GUID);
    }

    String token() {
        return read(TOKEN);
    }

    boolean elastic() {
        return !elasticPluginId().isBlank();
    }

    String elasticAgentId() {
        return properties.getProperty("agent.auto.register.elasticAgent.agentId", "");
    }

    String elasticPluginId() {
        return properties.getProperty("agent.auto.register.elasticAgent.pluginId", "");
    }

    /** A token file means registered. Without one: asks for a token and offers itself every 5 s until accepted. */
    void ensure() throws IOException, InterruptedException {
        boolean registered = Files.exists(TOKEN);
        while (!registered) {
            if (!Files.exists(TOKEN)) {
                fetchToken();
            }
            registered = attempt();
            if (!registered) {
                Thread.sleep(Long.getLong("standin.registration.interval", 5000));
            }
        }
    }

    private void fetchToken() throws IOException {
        Server.Answer answer = server.get("/admin/agent/token?uuid=" + uuid());
        if (answer.status() != 200) {
            throw new IOException("[Agent Registration] the server refused a token: " + answer.status());
        }
        Files.writeString(TOKEN, answer.text());
    }

    private boolean attempt() throws IOException {
        Log.info("SslInfrastructureService", 121, "[Agent Registration] Starting to register agent.");
        Server.Answer answer = server.call("POST", "/admin/agent",
                Map.of("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"),
                form().getBytes(StandardCharsets.UTF_8));
        if (answer.status() == 200) {
            Log.info("SslInfrastructureService", 75, "[Agent Registration] Successfully registered agent.");
            commentOut();
            return true;
        }
        if (answer.status() == 403) {
            Files.delete(TOKEN);
        }
        if (answer.status() != 202) {
            Log.error("SslInfrastructureService", 159,
                    "[Agent Registration] Error occurred during agent registration process: " + answer.text());
        }
        return false;
    }

    private String form() throws IOException {
        List<String> fields = new ArrayList<>();
        String host = properties.getProperty("agent.auto.register.hostname", "");
        add(fields, "hostname", host.isBlank() ? InetAddress.getLocalHost().getHostName() : host);
        add(fields, "uuid", uuid());
        add(fields, "location", Path.of("").toAbsolutePath().toString());
        add(fields, "usablespace", String.valueOf(Path.of("").toAbsolutePath().toFile().getUsableSpace()));
        add(fields, "operatingSystem", System.getProperty("os.name"));
        add(fields, "agentAutoRegisterKey", properties.getProperty("agent.auto.register.key", ""));
        add(fields, "agentAutoRegisterResources", properties.getProperty("agent.auto.register.resources", ""));
        add(fields, "agentAutoRegisterEnvironments", properties.getProperty("agent.auto.register.environments", ""));
        add(fields, "agentAutoRegisterHostname", host);
        add(fields, "elasticAgentId", elasticAgentId());
        add(fields, "elasticPluginId", elasticPluginId());
        add(fields, "token", token());
        return String.join("&", fields);
    }

    private static void add(List<String> fields, String name, String value) {
        fields.add(name + '=' + URLEncoder.encode(value, StandardCharsets.UTF_8));
    }

    /** The real agent does this too: the values stay readable in the comments. */
    private void commentOut() throws IOException {
        if (!Files.exists(PROPERTIES)) {
            return;
        }
        List<String> lines = new ArrayList<>();
        for (String line : Files.readAllLines(PROPERTIES)) {
            boolean used = ONLY_FOR_REGISTRATION.stream().anyMatch(key -> line.startsWith(key + '='));
            lines.add(used ? '#' + line : line);
        }
        Files.write(PROPERTIES, lines);
    }

    private static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file).strip() : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
