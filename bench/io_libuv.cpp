// The server as one writes it with libuv's callbacks.

#include "io_servers.hpp"

#include <array>
#include <string>

#include <uv.h>

namespace {

struct Server {
  uv_loop_t loop{};
  uv_tcp_t listener{};
  Protocol protocol{};
  std::array<char, server_room> room;
};

struct Connection {
  uv_tcp_t socket{};
  Server* server = nullptr;
  std::string incoming;
};

/// What could not be sent at once.
struct Rest {
  uv_write_t request{};
  std::string data;
};

uv_stream_t* stream_of(uv_tcp_t& socket) noexcept {
  return reinterpret_cast<uv_stream_t*>(&socket);
}

void close_connection(Connection& connection) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&connection.socket);
  if (uv_is_closing(handle) != 0) return;
  uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Connection*>(closed->data); });
}

void send(Connection& connection, std::string_view data) {
  uv_buf_t buffer = uv_buf_init(const_cast<char*>(data.data()), static_cast<unsigned>(data.size()));
  const int sent = uv_try_write(stream_of(connection.socket), &buffer, 1);
  if (sent < 0 && sent != UV_EAGAIN) return close_connection(connection);
  if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
  if (data.empty()) return;
  auto* rest = new Rest{{}, std::string(data)};
  rest->request.data = rest;
  buffer = uv_buf_init(rest->data.data(), static_cast<unsigned>(rest->data.size()));
  uv_write(&rest->request, stream_of(connection.socket), &buffer, 1,
           [](uv_write_t* done, int) { delete static_cast<Rest*>(done->data); });
}

void answer(Connection& connection, std::string_view data) {
  if (!connection.incoming.empty()) data = connection.incoming.append(data);
  std::size_t count = take_requests(data);
  connection.incoming = std::string(data);
  while (count-- > 0) send(connection, http_hello);
}

void offer_room(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  auto& room = static_cast<Connection*>(handle->data)->server->room;
  *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
}

void receive(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  auto& connection = *static_cast<Connection*>(stream->data);
  if (size == 0) return;
  if (size < 0) return close_connection(connection);
  const std::string_view data(buffer->base, static_cast<std::size_t>(size));
  if (connection.server->protocol == Protocol::echo) {
    send(connection, data);
  } else {
    answer(connection, data);
  }
}

void accept(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto& server = *static_cast<Server*>(listener->data);
  auto* connection = new Connection;
  connection->server = &server;
  uv_tcp_init(&server.loop, &connection->socket);
  connection->socket.data = connection;
  if (uv_accept(listener, stream_of(connection->socket)) != 0) return close_connection(*connection);
  uv_tcp_nodelay(&connection->socket, 1);
  uv_read_start(stream_of(connection->socket), offer_room, receive);
}

void serve(Protocol protocol) {
  auto* server = new Server;
  server->protocol = protocol;
  uv_loop_init(&server->loop);
  uv_tcp_init(&server->loop, &server->listener);
  server->listener.data = server;
  uv_tcp_open(&server->listener, listen_and_announce());
  uv_listen(stream_of(server->listener), server_backlog, accept);
  uv_run(&server->loop, UV_RUN_DEFAULT);
}

const ServerLoop loop("libuv", serve);

}  // namespace
