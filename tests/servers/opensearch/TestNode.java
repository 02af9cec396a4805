import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.ExtensiblePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.ScriptPlugin;
import org.opensearch.script.ScriptContext;
import org.opensearch.script.ScriptEngine;

/**
 * One OpenSearch node on 127.0.0.1 without the distribution's start scripts; it runs until its standard input ends.
 * Arguments: HOME HTTP_PORT TRANSPORT_PORT PLUGINS [KEY=VALUE ...]
 */
public final class TestNode extends Node {
    /** Painless with what other modules add to it (the class Processors): a node asks for that only in a distribution. */
    public static final class Painless extends Plugin implements ScriptPlugin {
        private final PainlessPlugin painless = new PainlessPlugin();

        public Painless() {
            painless.loadExtensions(new ExtensiblePlugin.ExtensionLoader() {
                @Override
                public <T> List<T> loadExtensions(Class<T> kind) {
                    List<T> found = new ArrayList<>();
                    ServiceLoader.load(kind).forEach(found::add);
                    return found;
                }
            });
        }

        @Override
        public ScriptEngine getScriptEngine(Settings settings, Collection<ScriptContext<?>> contexts) {
            return painless.getScriptEngine(settings, contexts);
        }

        @Override
        public List<Setting<?>> getSettings() {
            return painless.getSettings();
        }
    }

    private TestNode(Environment env, Collection<Class<? extends Plugin>> plugins) {
        super(env, plugins, true);
    }

    @Override
    protected void configureNodeAndClusterIdStateListener(ClusterService unused) {}

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]).toAbsolutePath();
        for (String folder : List.of("config", "data", "logs", "modules", "plugins"))
            Files.createDirectories(home.resolve(folder)); // the plugin loader wants the last two
        Settings.Builder settings = Settings.builder()
            .put("path.home", home.toString())
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .put("cluster.name", "tests")
            .put("node.name", "tests")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", args[2])
            .put("node.store.allow_mmap", false) // no need of vm.max_map_count
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("cluster.max_shards_per_node", 5000);
        for (int i = 4; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        LogConfigurator.registerErrorListener();
        LogConfigurator.configureWithoutConfig(settings.build()); // console, errors only
        List<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (String name : args[3].split(","))
            plugins.add(Class.forName(name).asSubclass(Plugin.class));
        Environment env = InternalSettingsPreparer.prepareEnvironment(
            settings.build(), Map.of(), home.resolve("config"), () -> "tests");
        TestNode node = new TestNode(env, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        node.start();
        System.out.println("READY");
        while (System.in.read() >= 0); // the end of whoever started it is its end too
        System.exit(0);
    }
}
