// The addresses that images may be fetched from. A URL is a tenant's: it must not reach what only
// the head can, such as its own services, the centre's network or a cloud's metadata.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::image_store {

class AllowedAddresses {
 public:
  /// `networks` are allowed besides public addresses: ADDRESS/LENGTH, separated by commas.
  /// `invalid_argument` if one of them is not.
  static core::Result<AllowedAddresses> from(const std::string& networks);

  bool contains(const boost::asio::ip::address& address) const;

 private:
  std::vector<boost::asio::ip::network_v4> v4_ = {};
  std::vector<boost::asio::ip::network_v6> v6_ = {};
};

}  // namespace nucleus::image_store
