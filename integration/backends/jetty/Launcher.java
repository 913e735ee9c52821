import java.net.InetSocketAddress;
import javax.servlet.MultipartConfigElement;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.ContextHandlerCollection;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/** Jetty with two applications, at / and at /app, in each of which one servlet answers every path. */
public class Launcher {
    public static void main(String[] arguments) throws Exception {
        Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.getInteger("backend.port")));
        ContextHandlerCollection contexts = new ContextHandlerCollection();
        for (String path : new String[] {"/", "/app"}) {
            ServletContextHandler context = new ServletContextHandler(contexts, path, ServletContextHandler.SESSIONS);
            ServletHolder echo = new ServletHolder(new Echo());
            echo.getRegistration().setMultipartConfig(new MultipartConfigElement(System.getProperty("java.io.tmpdir")));
            context.addServlet(echo, "/*");
        }
        server.setHandler((Handler) contexts);
        server.start();
        server.join();
    }
}
