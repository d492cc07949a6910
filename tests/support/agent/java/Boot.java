package standin;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.util.HashMap;
import java.util.Map;
import java.util.jar.JarInputStream;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;

/** Main-Class of both jars: runs GoCD-Main-Class out of the jars that lie in lib/ inside this very jar. */
public final class Boot {
    public static void main(String[] args) throws Exception {
        ClassLoader loader = new NestedJars(Boot.class.getProtectionDomain().getCodeSource().getLocation());
        Thread.currentThread().setContextClassLoader(loader);
        String main = manifest().getMainAttributes().getValue("GoCD-Main-Class");
        loader.loadClass(main).getMethod("main", String[].class).invoke(null, (Object) args);
    }

    private static Manifest manifest() throws IOException {
        try (InputStream in = Boot.class.getResourceAsStream("/META-INF/MANIFEST.MF")) {
            return new Manifest(in);
        }
    }

    private static final class NestedJars extends ClassLoader {
        private final Map<String, byte[]> classes = new HashMap<>();

        NestedJars(URL jar) throws IOException {
            super(Boot.class.getClassLoader());
            try (JarInputStream outer = new JarInputStream(jar.openStream())) {
                for (ZipEntry entry; (entry = outer.getNextEntry()) != null; ) {
                    if (entry.getName().startsWith("lib/") && entry.getName().endsWith(".jar")) {
                        read(new JarInputStream(outer));
                    }
                }
            }
        }

        private void read(JarInputStream inner) throws IOException {
            for (ZipEntry entry; (entry = inner.getNextEntry()) != null; ) {
                classes.put(entry.getName(), inner.readAllBytes());
            }
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] bytes = classes.remove(name.replace('.', '/') + ".class");
            if (bytes == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, bytes, 0, bytes.length);
        }
    }
}
