package standin;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;

/** The GoCD server, as HTTP calls. */
final class Server {
    record Answer(int status, Map<String, java.util.List<String>> headers, byte[] body) {
        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }

        String header(String name) {
            return headers.entrySet().stream().filter(h -> name.equalsIgnoreCase(h.getKey()))
                    .map(h -> h.getValue().get(0)).findFirst().orElse(null);
        }
    }

    private final String base;
    private final SSLContext tls;
    private final boolean anyHost;

    Server(Arguments args) throws Exception {
        System.setProperty("sun.net.http.retryPost", "false");
        base = args.serverUrl().replaceAll("/$", "");
        tls = base.startsWith("https:") ? Tls.context(args) : null;
        anyHost = !args.get("-sslVerificationMode", "FULL").equals("FULL");
    }

    String base() {
        return base;
    }

    Answer get(String path) throws IOException {
        return call("GET", path, Map.of(), null);
    }

    Answer call(String method, String path, Map<String, String> headers, byte[] body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(base + path).openConnection();
        if (connection instanceof HttpsURLConnection https) {
            https.setSSLSocketFactory(tls.getSocketFactory());
            if (anyHost) {
                https.setHostnameVerifier((host, session) -> true);
            }
        }
        connection.setConnectTimeout(5000);
        connection.setRequestMethod(method);
        headers.forEach(connection::setRequestProperty);
        if (body != null) {
            connection.setDoOutput(true);
            connection.setFixedLengthStreamingMode(body.length);
            try (OutputStream out = connection.getOutputStream()) {
                out.write(body);
            }
        }
        int status = connection.getResponseCode();
        try (InputStream in = status >= 400 ? connection.getErrorStream() : connection.getInputStream()) {
            return new Answer(status, connection.getHeaderFields(), in == null ? new byte[0] : in.readAllBytes());
        }
    }
}
