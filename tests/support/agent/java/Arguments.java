package standin;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The arguments that bootstrapper and agent share; wrong ones end the process with 1, as in the real thing. */
final class Arguments {
    private static final List<String> NAMES = List.of("-serverUrl", "-sslVerificationMode", "-rootCertFile",
            "-sslCertificateFile", "-sslPrivateKeyFile", "-sslPrivateKeyPassphraseFile");

    private final Map<String, String> values = new LinkedHashMap<>();

    Arguments(String[] args) {
        for (int i = 0; i < args.length; i += 2) {
            if (!NAMES.contains(args[i]) || i + 1 == args.length) {
                refuse("Was passed main parameter '" + args[i] + "' but no such option exists");
            }
            values.put(args[i], args[i + 1]);
        }
        if (!serverUrl().matches("https?://.*/go/?")) {
            refuse("-serverUrl is not a valid url: '" + serverUrl() + "' must be http(s) and end in /go");
        }
    }

    String serverUrl() {
        return get("-serverUrl", "");
    }

    String get(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    List<String> asList() {
        List<String> list = new ArrayList<>();
        values.forEach((name, value) -> list.addAll(List.of(name, value)));
        return list;
    }

    private static void refuse(String why) {
        System.err.println(why);
        System.exit(1);
    }
}
