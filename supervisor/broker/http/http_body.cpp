#include "broker/http/http_body.hpp"

#include <algorithm>
#include <charconv>

#include "broker/http/uri.hpp"

namespace supervisor::broker {
BodyReader::BodyReader(BodyFraming framing) : left_(framing.length) {
    switch (framing.kind) {
        case Framing::None:
            state_ = State::Done;
            break;
        case Framing::Length:
            state_ = framing.length == 0 ? State::Done : State::Raw;
            break;
        case Framing::Chunked:
            state_ = State::ChunkSize;
            break;
        case Framing::UntilEof:
            state_ = State::RawUntilEof;
            break;
    }
}

BodyReader::Piece BodyReader::next(std::string_view bytes) {
    Piece piece;
    while (piece.consumed < bytes.size() && !done() && !malformed()) {
        if (state_ == State::Raw || state_ == State::RawUntilEof || state_ == State::ChunkData) {
            const auto data = payload(bytes.substr(piece.consumed));
            return {piece.consumed + data.consumed, data.payload};
        }
        framing_byte(bytes[piece.consumed++]);
    }
    return piece;
}

BodyReader::Piece BodyReader::payload(std::string_view bytes) {
    if (state_ == State::RawUntilEof) return {bytes.size(), bytes};
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    left_ -= size;
    if (left_ == 0) state_ = state_ == State::Raw ? State::Done : State::ChunkCr;
    return {size, bytes.substr(0, size)};
}

void BodyReader::size_byte(char c) {
    if (c == '\r') {
        state_ = digits_ > 0 ? State::ChunkSizeLf : State::Malformed;
        return;
    }
    const int value = hex_value(c);
    if (value < 0 || ++digits_ > 15) {
        state_ = State::Malformed;
        return;
    }
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
}

void BodyReader::framing_byte(char c) {
    switch (state_) {
        case State::ChunkSize:
            size_byte(c);
            return;
        case State::ChunkSizeLf:
            state_ = c != '\n' ? State::Malformed : left_ == 0 ? State::LastCr : State::ChunkData;
            return;
        case State::ChunkCr:
            state_ = c == '\r' ? State::ChunkLf : State::Malformed;
            return;
        case State::ChunkLf:
            state_ = c == '\n' ? State::ChunkSize : State::Malformed;
            left_ = 0;
            digits_ = 0;
            return;
        case State::LastCr:
            state_ = c == '\r' ? State::LastLf : State::Malformed;
            return;
        case State::LastLf:
            state_ = c == '\n' ? State::Done : State::Malformed;
            return;
        case State::Done:
        case State::Raw:
        case State::RawUntilEof:
        case State::ChunkData:
        case State::Malformed:
            return;
    }
}

bool BodyReader::finish() {
    if (state_ == State::RawUntilEof) state_ = State::Done;
    return done();
}

std::string chunk_prefix(std::size_t size) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, size, 16).ptr;
    return std::string(digits, end) + "\r\n";
}

}  // namespace supervisor::broker
