<%-- Shows what a servlet gets of a request.
--%><%@ page contentType="text/plain; charset=UTF-8" session="false"
%>getRequestURI: "<%= request.getRequestURI() %>"
getQueryString: "<%= request.getQueryString() %>"
getParameter user: "<%= request.getParameter("user") %>"
getHeader X-Verified-User: "<%= request.getHeader("X-Verified-User") %>"
