// What the library is tried with, a function each; none of them is called in a loop.

#pragma once

namespace faults {

// scenarios_sockets.cpp
void tasks_and_timers();
void echo_over_tcp();
void echo_over_unix_sockets();
void datagrams();
void unix_datagrams();
void refused_connections();
void several_addresses();
void buffers();
void a_file_sent();

// scenarios_streams.cpp
void a_server();
void lines_and_limits();
void much_data();

// scenarios_system.cpp
void descriptors_of_others();
void a_process();
void a_process_with_options();
void a_process_that_is_dropped();
void files();
void signals();
void threads_that_post();
void names();

// scenarios_parallel.cpp
void a_process_pool();
void a_loop_pool();
void a_pool_server();
void transports();
void a_transport_sends_a_file();
void datagram_transports();
void pipe_transports();

}  // namespace faults
