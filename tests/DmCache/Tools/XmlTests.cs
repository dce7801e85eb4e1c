using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.DmCache.Tools;

/// <summary>What is no dump is refused, with the line and what was expected.</summary>
public sealed class XmlTests
{
    private const string Head =
        "<superblock block_size=\"128\" nr_cache_blocks=\"10\" policy=\"smq\" hint_width=\"4\">\n";

    private const string Place = "<mapping cache_block=\"1\" ";

    [Theory]
    [InlineData("", "line 1: there is no <superblock>")]
    [InlineData("<mappings><mapping cache_block=\"1\"/>", "line 1: <mapping> before <superblock>")]
    [InlineData("<superblock", "line 1: the text ends inside a tag")]
    [InlineData("<superblock block_size=\"128\">", "line 1: <superblock> has no nr_cache_blocks")]
    [InlineData("<thin/>", "line 1: <thin>, expected superblock, mapping, hint or discard")]
    [InlineData("<superblock block_size=\"100\" nr_cache_blocks=\"9\" policy=\"smq\">",
        "line 1: block_size=\"100\", expected a multiple of 64 sectors from 64 to 2097152")]
    [InlineData("<superblock block_size=\"0\" nr_cache_blocks=\"9\">",
        "line 1: block_size=\"0\", expected a multiple")]
    [InlineData("<superblock block_size=\"4194304\" nr_cache_blocks=\"9\">",
        "line 1: block_size=\"4194304\", expected")]
    [InlineData("<superblock block_size=\"64\" nr_cache_blocks=\"0\">",
        "line 1: nr_cache_blocks=\"0\", expected a number from 1 to 4294967294")]
    [InlineData("<superblock block_size=\"64\" nr_cache_blocks=\"9\" policy=\"foo\">",
        "line 1: policy 'foo': expected one of default, ")]
    [InlineData("<superblock block_size=\"64\" nr_cache_blocks=\"9\" policy='a&amp;b'>",
        "line 1: policy 'a&b': expected")]
    [InlineData(Head + Head, "line 2: a second <superblock>")]
    [InlineData(Head + "<mapping cache_block=\"10\"/>", "line 2: cache_block=\"10\", expected a number from 0 to 9")]
    [InlineData(Head + Place + "origin_block=\"-1\"/>", "line 2: origin_block=\"-1\", expected a number")]
    [InlineData(Head + Place + "origin_block=\"1\" dirty=\"\"/>", "line 2: dirty=\"\", expected true")]
    [InlineData(Head + "<hint cache_block=\"1\" data=\"AAA\"/>", "line 2: data=\"AAA\", expected 4 bytes in base 64")]
    [InlineData(Head + "<hint cache_block=1/>", "line 2: <hint>: expected NAME=\"VALUE\"")]
    [InlineData(Head + "<discard dbegin=\"0\" dend=\"1\"/>", "line 2: a discard, and <discards> does not say")]
    public void WhatIsNoDumpIsRefused(string xml, string message)
    {
        string found = Assert.Throws<UserErrorException>(() => OfflineTools.Restore(xml, 1024, 2)).Message;
        Assert.StartsWith(message, found);
    }

    /// <summary>A dump that a full disk has cut is no smaller one: what is missing could be dirty.</summary>
    [Theory]
    [InlineData("", "line 4: the text ends before </mappings>: it has been cut short")]
    [InlineData("</mappings>\n", "line 5: the text ends before </superblock>: it has been cut short")]
    [InlineData("</superblock>\n", "line 4: </superblock>, expected </mappings>")]
    [InlineData("</mappings>\n</superblock>\n</mappings>", "line 6: </mappings>, and nothing is open")]
    public void ADumpThatWasCutIsRefused(string end, string message)
    {
        string xml = Head + "<mappings>\n" + Place + "origin_block=\"7\" dirty=\"true\"/>\n" + end;
        Assert.Equal(message, Assert.Throws<UserErrorException>(() => OfflineTools.Restore(xml, 1024, 2)).Message);
    }

    [Fact]
    public void CommentsQuotesAndDeclarationsAreRead()
    {
        string xml = "<?xml version='1.0'?>\n<!-- a > b -->\n"
            + Head
            + "<mapping cache_block='1' origin_block='7' dirty='true' />\n</superblock>";
        string dumped = OfflineTools.Dump(OfflineTools.Restore(xml, 1024, 2));
        Assert.Contains("<mapping cache_block=\"1\" origin_block=\"7\" dirty=\"true\"/>", dumped);
    }

    [Fact]
    public void ASecondMappingAndAPlaceTooManyAreRefused()
    {
        const string mapping = "<mapping cache_block=\"1\" origin_block=\"7\" dirty=\"true\"/>";
        Assert.StartsWith("line 2: a second mapping of cache block 1",
            Assert.Throws<UserErrorException>(() => OfflineTools.Restore(Head + mapping + mapping, 1024, 2)).Message);
        Assert.StartsWith("line 3: origin_block=\"7\" is in cache block 1 too",
            Assert.Throws<UserErrorException>(() => OfflineTools.Restore(
                Head + mapping + "\n" + mapping.Replace("\"1\"", "\"2\""), 1024, 2)).Message);
        Assert.Contains("has room for 20 blocks of metadata",
            Assert.Throws<UserErrorException>(() => OfflineTools.Restore(Head, 20, 2)).Message);
    }
}
