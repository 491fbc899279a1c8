// Registry: hosts and the instances that serve them, put together from Services, Pods, EndpointSlices and
// ServiceEntries. It borrows from the DocumentSet, which must outlive it. Rules are not known here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/document_set.h"

namespace umbra::rules {

// One server of a host, e.g. a pod by one of its addresses.
struct Instance {
    IpAddress address;
    const Labels* labels = nullptr;
    std::map<std::uint16_t, std::uint16_t> ports;  // port of the host -> port of the instance
    bool accepts = true;                           // ready and not terminating: may get new connections
    bool shared_address = false;                   // has the node's address
    std::string_view node = {};                    // empty when not said
    bool unknown_pod = false;                      // its pod, and so its labels, was not among the documents
};

struct HostEntry {
    std::string host;
    std::vector<std::uint16_t> ports;  // sorted
    std::vector<IpAddress> addresses;  // of the host itself (cluster IPs)
    std::vector<Instance> instances;   // sorted by address
    bool external_name = false;
};

// Every label of the selector equals the instance's; "" also stands for a label that is absent.
bool labels_match(const Labels& selector, const Labels& labels);

class Registry {
public:
    Registry(const DocumentSet& documents, std::string_view cluster_domain);

    // Null when no document describes this host. Built when first asked for.
    const HostEntry* find(const std::string& host);
    // Hosts that a name means: itself, those a wildcard matches, or those with an address in a CIDR block.
    std::vector<const HostEntry*> matching(const std::string& pattern);
    std::vector<std::string_view> host_names() const;

private:
    struct Sources {
        const Service* service = nullptr;
        std::vector<const ServiceEntry*> entries;
        std::optional<HostEntry> built;
    };

    void build(const std::string& host, Sources& sources) const;
    void add_service(const Service& service, HostEntry& entry) const;
    void add_pods(const Service& service, HostEntry& entry) const;
    void add_slice(const Service& service, const EndpointSlice& slice, HostEntry& entry) const;

    std::map<std::string, Sources> hosts_;
    std::map<std::string, std::vector<const Pod*>> pods_by_namespace_;
    std::map<std::string, const Pod*> pods_;                           // by namespace/name
    std::map<std::string, std::vector<const EndpointSlice*>> slices_;  // by namespace/service
};

}  // namespace umbra::rules
