import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Answers with what the servlet sees, as JSON in ASCII. */
public class Echo extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Map<String, Object> seen = new LinkedHashMap<>();
        seen.put("backend", System.getProperty("backend.name"));
        // The context that answers: request.getContextPath() is text of the request's path.
        seen.put("app", request.getServletContext().getContextPath());
        seen.put("method", request.getMethod());
        seen.put("requestURI", request.getRequestURI());
        seen.put("queryString", request.getQueryString());
        seen.put("servletPath", request.getServletPath());
        seen.put("pathInfo", request.getPathInfo());
        seen.put("remoteUser", request.getRemoteUser());

        Map<String, Object> headers = new LinkedHashMap<>();
        for (String name : Collections.list(request.getHeaderNames())) {
            headers.put(name, Collections.list(request.getHeaders(name)));
        }
        seen.put("headers", headers);

        Map<String, List<String>> cookies = new LinkedHashMap<>();
        if (request.getCookies() != null) {
            for (Cookie cookie : request.getCookies()) {
                cookies.computeIfAbsent(cookie.getName(), name -> new ArrayList<>()).add(cookie.getValue());
            }
        }
        seen.put("cookies", cookies);

        // The parameters first: they take a form's body, the rest is left to read.
        Map<String, Object> parameters = new LinkedHashMap<>();
        request.getParameterMap().forEach((name, values) -> parameters.put(name, Arrays.asList(values)));
        seen.put("parameters", parameters);
        seen.put("body", Base64.getEncoder().encodeToString(request.getInputStream().readAllBytes()));

        StringBuilder json = new StringBuilder();
        write(json, seen);
        response.setHeader("X-Backend-Instance", System.getProperty("backend.instance"));
        response.setContentType("application/json");
        response.getOutputStream().print(json.toString());
    }

    private static void write(StringBuilder json, Object value) {
        if (value == null) {
            json.append("null");
        } else if (value instanceof Map) {
            String separator = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                json.append(separator);
                write(json, entry.getKey());
                json.append(':');
                write(json, entry.getValue());
                separator = ",";
            }
            json.append(separator.equals("{") ? "{}" : "}");
        } else if (value instanceof List) {
            String separator = "[";
            for (Object element : (List<?>) value) {
                json.append(separator);
                write(json, element);
                separator = ",";
            }
            json.append(separator.equals("[") ? "[]" : "]");
        } else {
            json.append('"');
            for (char c : value.toString().toCharArray()) {
                if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
                    json.append(String.format("\\u%04x", (int) c));
                } else {
                    json.append(c);
                }
            }
            json.append('"');
        }
    }
}
