// Finds the end of a message body and what of it is payload, one piece at a time and without copying.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/http/http_message.hpp"

namespace supervisor::broker {

class BodyReader {
  public:
    BodyReader() = default;
    explicit BodyReader(BodyFraming framing);

    struct Piece {
        std::size_t consumed = 0;  // bytes of the input that belong to the body, framing included
        std::string_view payload;  // part of the input
    };
    // Takes a prefix of `bytes`. Call again with the rest until done() or until nothing is consumed.
    Piece next(std::string_view bytes);

    // The input ended. True if a body may end so (UntilEof, or done already).
    bool finish();

    bool done() const { return state_ == State::Done; }
    // The framing is wrong (strictly: a chunk extension or a trailer counts as wrong); nothing can follow.
    bool malformed() const { return state_ == State::Malformed; }

  private:
    enum class State {
        Done,
        Raw,
        RawUntilEof,
        ChunkSize,
        ChunkSizeLf,
        ChunkData,
        ChunkCr,
        ChunkLf,
        LastCr,
        LastLf,
        Malformed
    };
    Piece payload(std::string_view bytes);
    void framing_byte(char c);
    void size_byte(char c);

    State state_ = State::Done;
    std::uint64_t left_ = 0;  // payload bytes to come in this chunk or body
    int digits_ = 0;
};

// "1f4\r\n": what goes in front of a chunk of that size.
std::string chunk_prefix(std::size_t size);

}  // namespace supervisor::broker
