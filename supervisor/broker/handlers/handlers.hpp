// Handlers of the routes, by subject. Each takes an exchange whose path, query and body framing were checked,
// and must see to it that the client gets exactly one answer.
#pragma once

#include "broker/traffic/exchange.hpp"

namespace supervisor::broker {

class Broker;

// system_handlers.cpp
void ping(Broker& broker, const ExchangePtr& exchange);
void show_version(Broker& broker, const ExchangePtr& exchange);
void show_info(Broker& broker, const ExchangePtr& exchange);
void show_disk_usage(Broker& broker, const ExchangePtr& exchange);
void stream_events(Broker& broker, const ExchangePtr& exchange);
void pass_through(Broker& broker, const ExchangePtr& exchange);
void pass_json(Broker& broker, const ExchangePtr& exchange);
void no_plugins(Broker& broker, const ExchangePtr& exchange);
void no_swarm(Broker& broker, const ExchangePtr& exchange);

// container_handlers.cpp
void list_containers(Broker& broker, const ExchangePtr& exchange);
void inspect_container(Broker& broker, const ExchangePtr& exchange);
void prune_containers(Broker& broker, const ExchangePtr& exchange);
void container_top(Broker& broker, const ExchangePtr& exchange);
void container_call(Broker& broker, const ExchangePtr& exchange);
void container_stream(Broker& broker, const ExchangePtr& exchange);
void container_stats(Broker& broker, const ExchangePtr& exchange);
void start_container(Broker& broker, const ExchangePtr& exchange);
void restart_container(Broker& broker, const ExchangePtr& exchange);
void container_archive(Broker& broker, const ExchangePtr& exchange);
void update_container(Broker& broker, const ExchangePtr& exchange);
void rename_container(Broker& broker, const ExchangePtr& exchange);
void remove_container(Broker& broker, const ExchangePtr& exchange);
void attach_container(Broker& broker, const ExchangePtr& exchange);

// create_handler.cpp
void create_container(Broker& broker, const ExchangePtr& exchange);

// exec_handlers.cpp
void create_exec(Broker& broker, const ExchangePtr& exchange);
void start_exec(Broker& broker, const ExchangePtr& exchange);
void exec_call(Broker& broker, const ExchangePtr& exchange);

// image_handlers.cpp
void list_images(Broker& broker, const ExchangePtr& exchange);
void create_image(Broker& broker, const ExchangePtr& exchange);
void load_images(Broker& broker, const ExchangePtr& exchange);
void prune_images(Broker& broker, const ExchangePtr& exchange);
void save_images(Broker& broker, const ExchangePtr& exchange);
void inspect_image(Broker& broker, const ExchangePtr& exchange);
void image_stream(Broker& broker, const ExchangePtr& exchange);
void push_image(Broker& broker, const ExchangePtr& exchange);
void tag_image(Broker& broker, const ExchangePtr& exchange);
void remove_image(Broker& broker, const ExchangePtr& exchange);
void commit_container(Broker& broker, const ExchangePtr& exchange);

// build_handlers.cpp
void build_image(Broker& broker, const ExchangePtr& exchange);
void prune_build_cache(Broker& broker, const ExchangePtr& exchange);
void open_buildkit(Broker& broker, const ExchangePtr& exchange);

// network_handlers.cpp
void list_networks(Broker& broker, const ExchangePtr& exchange);
void create_network(Broker& broker, const ExchangePtr& exchange);
void prune_networks(Broker& broker, const ExchangePtr& exchange);
void inspect_network(Broker& broker, const ExchangePtr& exchange);
void connect_network(Broker& broker, const ExchangePtr& exchange);
void disconnect_network(Broker& broker, const ExchangePtr& exchange);
void remove_network(Broker& broker, const ExchangePtr& exchange);

// volume_handlers.cpp
void list_volumes(Broker& broker, const ExchangePtr& exchange);
void create_volume(Broker& broker, const ExchangePtr& exchange);
void prune_volumes(Broker& broker, const ExchangePtr& exchange);
void inspect_volume(Broker& broker, const ExchangePtr& exchange);
void remove_volume(Broker& broker, const ExchangePtr& exchange);

}  // namespace supervisor::broker
